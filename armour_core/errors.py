"""Every error armour raises on purpose. A message says what was asked, what was found, and what to do next."""


class ArmourError(Exception):
    """Base of all errors that are the caller's, the data's or a plugin's, never armour's own."""


class UnknownPlugin(ArmourError, LookupError):
    """No registered plugin has this name."""


class AmbiguousPlugin(ArmourError, LookupError):
    """Several distributions offer this name."""


class PluginLoadError(ArmourError, ImportError):
    """A plugin is registered, but its code cannot be imported."""


class IncompatiblePlugin(ArmourError):
    """A plugin was written for another version of armour's plugin interface."""


class ConfigError(ArmourError, ValueError):
    """A setting has a name or value that is not accepted."""


class DataError(ArmourError, ValueError):
    """Data, labels or a model's outputs are not what was promised."""


class MissingCapability(ArmourError):
    """The backend or model lacks something that the algorithm needs."""


class ContractError(ArmourError):
    """A plugin returned what its kind's contract forbids."""


class IntegrityError(ArmourError):
    """A file is damaged, truncated, or not authentic."""
