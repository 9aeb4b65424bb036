//! What has been done of a plan: a file that only grows, one JSON object a line.
//!
//! A step is written down before it is tried and after it is done, and each
//! line is on the disk before anything else happens. A process that dies in
//! between leaves a step that was begun: the next one applies it again, which a
//! connector promises to be safe. A last line without its end is what such a
//! death leaves of the file, and is cut off.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{PlanDocument, PlannedStep};

/// Raised when a line changes its meaning.
const FORMAT: u32 = 1;

/// The journal of one plan. Held by one process at a time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    states: BTreeMap<String, StepState>,
    /// Steps in the order in which they were done last.
    done: Vec<String>,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StepState {
    /// It was begun, and how it ended is not known.
    Begun,
    /// It failed.
    Failed,
    /// It is done.
    Done {
        /// What takes it back, where something does.
        undo: Option<PlannedStep>,
    },
    /// It was done, and taken back.
    Undone,
}

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file.
    #[error("the journal `{path}` can't be written: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Somebody else is at it.
    #[error("another process is applying the plan of the journal `{0}`")]
    Busy(PathBuf),
    /// It tells of another plan.
    #[error("the journal `{0}` belongs to another plan")]
    OtherPlan(PathBuf),
    /// It is not a journal, or not of a format that this version reads.
    #[error("line {line} of the journal `{path}` is not readable: {cause}")]
    Broken {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        cause: String,
    },
}

impl JournalError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "name a file in a folder that you can write to, with `--journal`",
            Self::Busy(_) => "wait for it to end",
            Self::OtherPlan(_) => {
                "apply that other plan to its end, or name another file with `--journal`"
            }
            Self::Broken { .. } => {
                "keep the file for whoever looks into it, and make a new plan: a plan covers only \
                 what is left to do"
            }
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    /// The first one.
    Opened {
        format: u32,
        plan_sha256: String,
        at: Timestamp,
    },
    Begun {
        step: String,
        at: Timestamp,
    },
    Done {
        step: String,
        at: Timestamp,
        effect: Value,
        undo: Option<PlannedStep>,
    },
    Failed {
        step: String,
        at: Timestamp,
        code: String,
        message: String,
    },
    UndoBegun {
        step: String,
        at: Timestamp,
    },
    Undone {
        step: String,
        at: Timestamp,
        effect: Value,
    },
}

impl Journal {
    /// Opens the journal of a plan, or begins it. Waits for nobody.
    pub fn open(path: &Path, plan: &PlanDocument) -> Result<Self, JournalError> {
        let failed = |cause| JournalError::File {
            path: path.to_owned(),
            cause,
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // Names of people are in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        let mut journal = Self {
            file,
            path: path.to_owned(),
            states: BTreeMap::new(),
            done: Vec::new(),
        };
        let sha256 = plan.sha256();
        if whole == 0 {
            journal.write(&Line::Opened {
                format: FORMAT,
                plan_sha256: sha256,
                at: Timestamp::now(),
            })?;
            return Ok(journal);
        }
        for (at, line) in bytes[..whole - 1].split(|byte| *byte == b'\n').enumerate() {
            let broken = |cause: String| JournalError::Broken {
                path: path.to_owned(),
                line: at + 1,
                cause,
            };
            let line = serde_json::from_slice(line).map_err(|error| broken(error.to_string()))?;
            match (at, line) {
                (0, Line::Opened { format, .. }) if format != FORMAT => {
                    return Err(broken(format!("it has the format {format}")));
                }
                (0, Line::Opened { plan_sha256, .. }) if plan_sha256 != sha256 => {
                    return Err(JournalError::OtherPlan(path.to_owned()));
                }
                (0, Line::Opened { .. }) => {}
                (0, _) | (_, Line::Opened { .. }) => {
                    return Err(broken("it does not belong there".to_owned()));
                }
                (_, line) => journal.note(line),
            }
        }
        Ok(journal)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far a step is; none if it was not begun.
    pub fn state(&self, step: &str) -> Option<&StepState> {
        self.states.get(step)
    }

    /// How many of the plan's steps are done.
    pub fn done(&self, plan: &PlanDocument) -> usize {
        let done =
            |step: &&PlannedStep| matches!(self.state(&step.id), Some(StepState::Done { .. }));
        plan.steps.iter().filter(done).count()
    }

    /// Steps that are done, the latest first, each with what takes it back.
    pub fn undoable(&self) -> Vec<(String, Option<PlannedStep>)> {
        let state = |step: &String| match self.states.get(step) {
            Some(StepState::Done { undo }) => Some((step.clone(), undo.clone())),
            _ => None,
        };
        self.done.iter().rev().filter_map(state).collect()
    }

    pub(super) fn begin(&mut self, step: &str) -> Result<(), JournalError> {
        self.record(Line::Begun {
            step: step.to_owned(),
            at: Timestamp::now(),
        })
    }

    pub(super) fn finish(
        &mut self,
        step: &str,
        effect: Value,
        undo: Option<PlannedStep>,
    ) -> Result<(), JournalError> {
        self.record(Line::Done {
            step: step.to_owned(),
            at: Timestamp::now(),
            effect,
            undo,
        })
    }

    pub(super) fn fail(
        &mut self,
        step: &str,
        code: String,
        message: String,
    ) -> Result<(), JournalError> {
        self.record(Line::Failed {
            step: step.to_owned(),
            at: Timestamp::now(),
            code,
            message,
        })
    }

    pub(super) fn begin_undo(&mut self, step: &str) -> Result<(), JournalError> {
        self.record(Line::UndoBegun {
            step: step.to_owned(),
            at: Timestamp::now(),
        })
    }

    pub(super) fn finish_undo(&mut self, step: &str, effect: Value) -> Result<(), JournalError> {
        self.record(Line::Undone {
            step: step.to_owned(),
            at: Timestamp::now(),
            effect,
        })
    }

    fn record(&mut self, line: Line) -> Result<(), JournalError> {
        self.write(&line)?;
        self.note(line);
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line).expect("a line has string keys only");
        text.push(b'\n');
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
            .map_err(|cause| JournalError::File {
                path: self.path.clone(),
                cause,
            })
    }

    fn note(&mut self, line: Line) {
        let (step, state) = match line {
            Line::Opened { .. } => return,
            Line::Begun { step, .. } => {
                // To try a failed step of a done one again changes nothing
                // about what takes it back.
                if matches!(self.states.get(&step), Some(StepState::Done { .. })) {
                    return;
                }
                (step, StepState::Begun)
            }
            Line::Failed { step, .. } => (step, StepState::Failed),
            Line::Done { step, undo, .. } => (step, StepState::Done { undo }),
            // Until it is taken back, it is done.
            Line::UndoBegun { .. } => return,
            Line::Undone { step, .. } => (step, StepState::Undone),
        };
        self.done.retain(|done| *done != step);
        if matches!(state, StepState::Done { .. }) {
            self.done.push(step.clone());
        }
        self.states.insert(step, state);
    }
}
