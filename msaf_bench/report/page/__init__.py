"""The pages of a report, made from templates."""
