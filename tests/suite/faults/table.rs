//! What a cell can say, and how a table is read.

use std::{collections::BTreeSet, fmt};

use host_harness::{
    contract::types::ErrorCode,
    egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen},
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
    /// What is odd is drawn by lot. Of a read: the same things, of each of which
    /// nothing is said that is not so, or `invalid-response`. Of a write: done,
    /// once, and said so; or an error that nothing was changed, which is so, or
    /// that something may have been.
    Drawn,
    /// What the connector asks for then is not in the recording.
    Unrecorded,
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
    /// What the table says of a cell.
    pub fn cell(&self, row: &str, fault: &str, strikes: Strikes) -> Option<Cell> {
        Some(match self.line(row, fault, strikes)? {
            Line::Exception(at) => self.exceptions[at].cell,
            Line::Rule(at) => self.rules[at].cell,
        })
    }

    fn line(&self, row: &str, fault: &str, strikes: Strikes) -> Option<Line> {
        let exception = self.exceptions.iter().position(|one| {
            one.row == row && one.faults.contains(&fault) && (one.strikes)(strikes)
        });
        let rule = || {
            let mut rules = self.rules.iter();
            rules.position(|rule| rule.faults.contains(&fault) && (rule.strikes)(strikes))
        };
        let exception = exception.map(Line::Exception);
        exception.or_else(|| rule().map(Line::Rule))
    }

    /// Each fault of each line decides one of these cells: none is hidden by the
    /// lines before it, and none is about what does not happen.
    #[track_caller]
    pub fn assert_is_read<'c>(&self, cells: impl Iterator<Item = (&'c str, &'c Disturbance)>) {
        let unread = self.unread(cells);
        assert!(unread.is_empty(), "{}", unread.join("\n"));
    }

    fn unread<'c>(&self, cells: impl Iterator<Item = (&'c str, &'c Disturbance)>) -> Vec<String> {
        let read: BTreeSet<(Line, &str)> = cells
            .filter_map(|(row, one)| Some((self.line(row, one.name, one.strikes)?, one.name)))
            .collect();
        let mut unread = Vec::new();
        for (
            at,
            Exception {
                row, faults, cell, ..
            },
        ) in self.exceptions.iter().enumerate()
        {
            let faults = faults
                .iter()
                .filter(|fault| !read.contains(&(Line::Exception(at), **fault)));
            unread.extend(faults.map(|fault| format!("nothing is {cell:?} at {row}, {fault}")));
        }
        for (at, Rule { faults, cell, .. }) in self.rules.iter().enumerate() {
            let faults = faults
                .iter()
                .filter(|fault| !read.contains(&(Line::Rule(at), **fault)));
            unread.extend(faults.map(|fault| format!("nothing is {cell:?} at {fault}")));
        }
        unread
    }
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Line {
    Exception(usize),
    Rule(usize),
}

/// A column: what goes wrong, and with which requests.
#[derive(Clone, Debug)]
pub struct Disturbance {
    pub name: &'static str,
    pub fault: Fault,
    pub strikes: Strikes,
    /// Decides what is left to chance.
    draw: u64,
}

impl Disturbance {
    /// All of them; each fault strikes where that says.
    pub fn all(strikes: impl Fn(&str) -> Vec<Strikes>) -> impl Iterator<Item = Self> {
        Fault::NAMES.into_iter().flat_map(move |name| {
            let fault: Fault = name.parse().expect("its name");
            let strikes = strikes(name);
            let draws = 1..=if name == "odd-fields" { DRAWS } else { 1 };
            draws.flat_map(move |draw| {
                let fault = fault.clone();
                strikes.clone().into_iter().map(move |strikes| Self {
                    name,
                    fault: fault.clone(),
                    strikes,
                    draw,
                })
            })
        })
    }

    pub fn plan(&self) -> FaultPlan {
        let rule = FaultRule::always(self.fault.clone()).when(self.strikes.when());
        FaultPlan::new(self.draw).rule(rule)
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.strikes)?;
        if self.name == "odd-fields" {
            write!(f, " draw {}", self.draw)?;
        }
        Ok(())
    }
}

/// How often what is left to chance is drawn.
const DRAWS: u64 = 8;

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

#[test]
fn a_line_that_decides_no_cell_is_told() {
    const FIRST: fn(Strikes) -> bool = |strikes| strikes == Strikes::First;
    const ANY: fn(Strikes) -> bool = |_| true;
    const TABLE: Table = Table {
        rules: &[
            rule(ANY, &["500", "502"], Cell::Sound),
            // Hidden by the line before.
            rule(FIRST, &["500"], Cell::NotStruck),
        ],
        exceptions: &[
            except("played", FIRST, &["502"], Cell::Drawn),
            // Nobody plays it.
            except("imagined", FIRST, &["502"], Cell::OutOfTime),
        ],
    };
    let columns: Vec<Disturbance> = Disturbance::all(|_| vec![Strikes::First]).collect();
    let unread = TABLE.unread(columns.iter().map(|column| ("played", column)));
    assert_eq!(
        unread,
        [
            "nothing is OutOfTime at imagined, 502",
            "nothing is Sound at 502",
            "nothing is NotStruck at 500",
        ]
    );
}
