"""Deploy a VM from a template, provision it, put it into the inventory; undo what fails."""
