"""
``tocsin prove``: breaks servers of its own under load and counts what got lost.

``stack`` is what is hit, ``faults/`` what hits it, ``load`` who works meanwhile,
``run`` one fault from start to verdict. Journals and the checker know of none
of them: they judge every fault alike.
"""
