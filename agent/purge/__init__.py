"""Destroying what is in quarantine: asked for, approved by two people, waited for, carried out, certified."""
