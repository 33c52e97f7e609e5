"""
Fuzzers of what reads bytes of strangers: ``python -m fuzz``, or ``make fuzz``.

A target is a function of bytes that raises when something is wrong. Atheris
drives it, led by coverage; the inputs that reached new code are kept, few and
small, in ``tests/fuzz_corpus``, and run with the tests.
"""
