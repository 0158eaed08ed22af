"""Events of a sweep, for tests: what was told is kept."""


class Heard:
    """Keeps the plans, phases, steps, records and notes that a sweep tells."""

    def __init__(self):
        self.steps, self.records, self.notes = [], [], []
        self.plans, self.phases, self.validations = [], [], []

    def begun(self, plan, done):
        self.plans.append((plan, set(done)))

    def phase(self, name, done, total, now=""):
        self.phases.append((name, done, total, now))

    def step(self, trial, step, loss):
        self.steps.append((trial.id, step))

    def validated(self, trial, step, miou):
        self.validations.append((trial.id, step, miou))

    def finished(self, record):
        self.records.append(record)

    def note(self, text):
        self.notes.append(text)
