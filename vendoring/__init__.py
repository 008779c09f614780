"""The npm packages' files that pages load, fetched again by `make vendor`; versions.toml says which."""
