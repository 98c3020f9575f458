"""From files to results: what stands behind the command ``instantdl``."""

import lazy_loader

# The command line answers `--help` at once; Keras is loaded with the first real work.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
