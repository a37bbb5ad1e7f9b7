"""Pure functions between an endpoint and the bytes of its exchange: no input or output happens here."""
