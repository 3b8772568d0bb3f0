"""TLS seen from outside: certificates good and bad, records, and peers every byte of which can be seen."""
