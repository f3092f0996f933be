"""Recipes for the models and records that ship with the library."""
