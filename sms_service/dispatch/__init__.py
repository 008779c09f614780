"""How it leaves: freeze, claim, gate, submit, outcomes, sweep."""
