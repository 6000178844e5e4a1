"""Programs written for other libraries, on xformad.

`xformad.compat.autograd` is Autograd's public interface.
"""
