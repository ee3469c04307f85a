"""The web: receiver, API, pages. The only Litestar."""
