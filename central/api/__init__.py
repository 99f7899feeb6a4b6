"""What programs of the chain ask head office: an API with tokens (docs/api.md), exports, figures for Prometheus."""
