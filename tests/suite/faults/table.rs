//! What a cell can say, and how a table is read.

use host_harness::{
    contract::types::ErrorCode,
    egress::faults::{Fault, FaultWhen},
};

/// Which requests of a call a fault strikes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strikes {
    /// The first one.
    First,
    /// The second one.
    Second,
    /// Each.
    Each,
    /// Each read of a call that is to change something.
    EachRead,
    /// The change with that number, from 0, once.
    Change(u32),
    /// Each change.
    EachChange,
}

impl Strikes {
    pub fn when(self) -> FaultWhen {
        let once = |when: FaultWhen, skip: u32| FaultWhen {
            skip,
            times: Some(1),
            ..when
        };
        match self {
            Self::First => once(FaultWhen::default(), 0),
            Self::Second => once(FaultWhen::default(), 1),
            Self::Each => FaultWhen::default(),
            Self::EachRead => FaultWhen::reads(),
            Self::Change(number) => once(FaultWhen::changes(), number),
            Self::EachChange => FaultWhen::changes(),
        }
    }

    /// Whether it goes on as long as the connector tries.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Each | Self::EachRead | Self::EachChange)
    }
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// The same as without the fault. Of a write: done, once, and said so.
    Sound,
    /// A result with less, which says so by this.
    Says(&'static str),
    /// A result that follows from what the vendor said, which nobody can tell
    /// from the truth. Why not.
    Believed(&'static str),
    /// What is odd is drawn by lot: any result, or any error of the contract.
    Drawn,
    /// The call makes no such request.
    NotStruck,
    /// The call's time is over: the connector says so, or the host where it was
    /// faster. What may have been changed is said to be. Or there was nothing
    /// that takes time.
    OutOfTime,
    /// An error of the contract; nothing was changed.
    Fails(ErrorCode),
    /// An error that says that the change may have been made. What became of it.
    Uncertain(ErrorCode, Fate),
    /// The same as `Uncertain(_, Fate::Partly)`, of a step that takes back what
    /// it has done. Called again it comes to the same end by another way.
    TakenBack(ErrorCode),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Undone,
    Done,
    /// Of several changes some.
    Partly,
}

/// A line of a table: for these faults, wherever they strike like that.
pub struct Rule {
    pub strikes: fn(Strikes) -> bool,
    pub faults: &'static [&'static str],
    pub cell: Cell,
}

/// A cell that is not as the rules say: the row, the fault, where it strikes.
pub struct Exception {
    pub row: &'static str,
    pub faults: &'static [&'static str],
    pub strikes: fn(Strikes) -> bool,
    pub cell: Cell,
}

pub const fn rule(
    strikes: fn(Strikes) -> bool,
    faults: &'static [&'static str],
    cell: Cell,
) -> Rule {
    Rule {
        strikes,
        faults,
        cell,
    }
}

pub const fn except(
    row: &'static str,
    strikes: fn(Strikes) -> bool,
    faults: &'static [&'static str],
    cell: Cell,
) -> Exception {
    Exception {
        row,
        faults,
        strikes,
        cell,
    }
}

/// Exceptions before rules; the first that fits.
pub struct Table {
    pub exceptions: &'static [Exception],
    pub rules: &'static [Rule],
}

impl Table {
    pub fn cell(&self, row: &str, fault: &str, strikes: Strikes) -> Option<Cell> {
        let mut exceptions = self.exceptions.iter();
        let exception = exceptions
            .find(|one| one.row == row && one.faults.contains(&fault) && (one.strikes)(strikes));
        if let Some(exception) = exception {
            return Some(exception.cell);
        }
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.faults.contains(&fault) && (rule.strikes)(strikes));
        rule.map(|rule| rule.cell)
    }

    /// Each line is there for a cell.
    #[track_caller]
    pub fn assert_is_read<'c>(&self, cells: impl Iterator<Item = (&'c str, &'c str, Strikes)>) {
        let cells: Vec<_> = cells.collect();
        for Exception {
            row,
            faults,
            strikes,
            cell,
        } in self.exceptions
        {
            for fault in *faults {
                let mut cells = cells.iter();
                let is_read = cells.any(|one| one.0 == *row && one.1 == *fault && strikes(one.2));
                assert!(is_read, "nothing is {cell:?} at {row}, {fault}");
            }
        }
        for rule in self.rules {
            for fault in rule.faults {
                let mut cells = cells.iter();
                let is_read = cells.any(|one| one.1 == *fault && (rule.strikes)(one.2));
                assert!(is_read, "nothing is {:?} at {fault}", rule.cell);
            }
        }
    }
}

/// What passes, if one waits.
pub const TRANSIENT: &[&str] = &[
    "429",
    "429-with-headers",
    "500",
    "502",
    "503",
    "504",
    "refused-connection",
    "timeout-before",
    "timeout-after",
    "reset",
];

/// What goes over a whole answer and leaves it readable.
pub const HARMLESS: &[&str] = &[
    "wrong-content-type",
    "duplicate-items",
    "reordered-items",
    "repeated-page",
];

/// After which nobody can read the answer.
pub const UNREADABLE: &[&str] = &[
    "truncated-json",
    "html",
    "empty-body",
    "huge-body",
    "gzip-bomb",
    "null-fields",
    "wrong-types",
];

pub const SERVER_ERRORS: &[&str] = &["500", "502", "503", "504"];

pub fn faults() -> impl Iterator<Item = (&'static str, Fault)> {
    Fault::NAMES
        .into_iter()
        .map(|name| (name, name.parse().expect("its name")))
}
