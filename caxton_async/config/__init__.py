"""What a client is told before it starts: credentials and settings, from code, environment and profile."""

from caxton_async.config.credentials import (
    Credentials,
    PasswordProvider,
    find_stray,
    password_from_file,
    password_from_keyring,
)
from caxton_async.config.settings import Environment, Settings
from caxton_async.config.variables import Configuration, load_configuration, unknown_variables

__all__ = [
    "Configuration",
    "Credentials",
    "Environment",
    "PasswordProvider",
    "Settings",
    "find_stray",
    "from_env",
    "load_configuration",
    "password_from_file",
    "password_from_keyring",
    "unknown_variables",
]

from_env = load_configuration
