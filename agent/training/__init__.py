"""Training (人员培训): who works here, what they learn and sign, when it is due again, and proof of it."""
