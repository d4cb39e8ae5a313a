"""How fast pynet is on this machine, beside the peers that are installed on it.

`pynet bench` prints a short table, `bench/run.py` in the repository measures everything.

- `rows`: what is measured; `nets`: the networks in words that every peer can follow
- `peers`: who is measured, a file each
- `process`: a peer in a process of its own; `load`: what else the processors did meanwhile
- `rounds`: all peers in turn; `ratios`: what may be concluded; `report`: the table
"""
