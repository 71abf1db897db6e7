"""How large a run of the benchmarks is."""

from attrs import frozen


@frozen(kw_only=True)
class Settings:
    """The sizes of the table in docs/benchmarks.md; the tests run the same code with smaller ones."""

    device: str = "cpu"  #: "cpu", "cuda:0" or "auto"
    repeats: int = 9  #: timed rounds; the least of them counts
    batch: int = 128  #: rows that are attacked
    steps: int = 40  #: of PGD
    train: int = 6000  #: images that the network is trained on, two times
    few: int = 16  #: rows for attacks that take thousands of queries each
    queries: int = 500  #: of square
    jumps: int = 8  #: of hopskipjump
    adam: int = 100  #: steps of cw for each of its values of c
    consts: int = 5  #: values of c that cw tries
    small_eps: float = 1e-3  #: at which PGD finds next to nothing, so that every step is run
    usual_eps: float = 0.3  #: at which an undefended network loses all


TINY = Settings(repeats=1, batch=8, steps=3, train=64, few=2, queries=5, jumps=1, adam=4, consts=2)
