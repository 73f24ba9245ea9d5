"""The standard report: gathered once from the views as plain data, then shown in any form."""
