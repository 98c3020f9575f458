"""Deep learning for biomedical images behind scikit-learn estimators.

The public names are listed in the stub beside this file and loaded when they are
first used, so importing the package loads neither Keras nor TensorFlow.

Examples
--------
>>> import instantdl
>>> instantdl.__version__
'2.0.0.dev0'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
