//! What a guest writes to its standard output and error: kept line by line,
//! capped, and passed on to `tracing`. A guest is not trusted, so nothing of
//! it reaches a terminal as it is.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{egress::Redactor, text::printable};

/// Enough for a trace of a large call, too little to fill a disk.
const MAX_LINES: usize = 1_000;

/// As journald's and most collectors' limit for a line.
const MAX_LINE: usize = 4 << 10;

/// What one call has written.
#[derive(Clone, Debug)]
pub struct GuestLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    capability: String,
    redactor: Redactor,
    lines: Vec<String>,
    /// What has come after the last line break.
    open: Vec<u8>,
    /// Lines beyond [`MAX_LINES`].
    dropped: usize,
}

impl GuestLog {
    pub(crate) fn new(capability: &str, redactor: Redactor) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                capability: capability.to_owned(),
                redactor,
                lines: Vec::new(),
                open: Vec::new(),
                dropped: 0,
            })),
        }
    }

    /// The lines so far, with control characters made visible. A last one says
    /// how many were dropped, if any were.
    pub(crate) fn finish(&self) -> Vec<String> {
        let mut inner = self.lock();
        if !inner.open.is_empty() {
            inner.end_line();
        }
        let mut lines = std::mem::take(&mut inner.lines);
        if inner.dropped > 0 {
            lines.push(format!("({} more lines were dropped)", inner.dropped));
        }
        lines
    }

    fn append(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        for byte in bytes {
            if *byte == b'\n' {
                inner.end_line();
            } else if inner.open.len() < MAX_LINE {
                inner.open.push(*byte);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn end_line(&mut self) {
        let open = std::mem::take(&mut self.open);
        if self.lines.len() >= MAX_LINES {
            self.dropped += 1;
            return;
        }
        let line = self.redactor.text(&String::from_utf8_lossy(&open));
        let line = printable(&line).into_owned();
        tracing::info!(
            target: "harness::guest",
            capability = self.capability,
            line,
            "guest"
        );
        self.lines.push(line);
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, and the linker has none of that.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
