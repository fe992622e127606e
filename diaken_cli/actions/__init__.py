"""The flows: what diaken does, step by step."""
