"""Stores: enrolment, certificates, what they belong to."""
