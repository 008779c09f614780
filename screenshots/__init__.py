"""The pictures of docs/console.md: the demonstration's pages, as its people see them."""
