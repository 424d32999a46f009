"""Bad nights, one at a time and made from seeds; tests/support/chaos makes them."""
