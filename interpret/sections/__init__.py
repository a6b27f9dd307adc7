"""The sections of a report: each function reads the facts and the study and gives blocks."""
