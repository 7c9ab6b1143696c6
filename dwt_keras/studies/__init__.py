"""Loops over training runs: searches, cross-validations, ensembles."""
