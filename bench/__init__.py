"""
Tocsin and its peers side by side in one run: ``make bench``.

``servers`` starts and watches the peers, ``generator`` compiles and drives the
C load generator, ``rounds`` says what is measured and in which order,
``report`` and ``plot`` show it. Load goes to loopback only, and every step is
bounded in count and time. Figures are compared as ratios within one run;
what they must reach is in ``report.TARGETS``.
"""
