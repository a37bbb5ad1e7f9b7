"""The version of the package that runs."""


def own_version() -> str:
    """Return the version that was installed, `unknown` without its metadata (zip files, frozen programs)."""
    # To import this takes as long as to import half of our own modules.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("caxton-async")
    except PackageNotFoundError:
        return "unknown"
