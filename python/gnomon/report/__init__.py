"""The standard report: gathered once from the views as plain data, then shown in whatever form is asked for."""
