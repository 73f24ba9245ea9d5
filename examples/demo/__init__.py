"""What examples/demo_week.py is made of: a company, its scripts, and a week of their runs."""
