"""Vendors (第三方服务商): who gets customers' data, on what terms, what came back, and whose copy leaked."""
