//! What a misbehaviour got to see, on its way out.

/// Text that is of interest to whoever sent this connector. It leaves backwards,
/// so that a host which merely takes its secret out of what is written would
/// not find it.
#[derive(Default)]
pub struct Seen {
    texts: Vec<String>,
    /// Of no interest.
    ignored: bool,
    failure: Option<String>,
    name: Option<String>,
}

impl Seen {
    /// For what is done often, and not for what it brings.
    pub fn ignored() -> Self {
        Self {
            ignored: true,
            ..Self::default()
        }
    }

    /// Keeps a text and writes it to the log as well: a result does not leave a
    /// call that the host fails.
    pub fn note(&mut self, text: &str) {
        if self.ignored {
            return;
        }
        // The log breaks lines; what is not printable, it changes.
        let shown = text.escape_debug().to_string();
        let backwards: Vec<char> = shown.chars().rev().collect();
        for line in backwards.chunks(1000).rev() {
            eprintln!("{}", line.iter().collect::<String>());
        }
        self.texts.push(backwards.into_iter().collect());
    }

    /// Lets the call fail with that message.
    pub fn fail(&mut self, message: impl Into<String>) {
        self.failure = Some(message.into());
    }

    pub fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// What the account in the result is called.
    pub fn call_itself(&mut self, name: &str) {
        self.name = Some(name.to_owned());
    }

    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("hostile")
    }

    pub fn into_attributes(self) -> Vec<(String, String)> {
        self.texts
            .into_iter()
            .map(|text| ("seen".to_owned(), text))
            .collect()
    }
}
