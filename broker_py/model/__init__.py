"""The vocabulary that all sides share: values without behaviour beyond their own text forms."""
