"""Estimates of size and monthly cost, from measurements and price lists."""
