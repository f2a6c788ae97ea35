//! Where things are, and what went wrong.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders that steps work in.
pub(crate) struct Context {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// Whether steps run in their long forms.
    pub(crate) all: bool,
}

impl Context {
    pub(crate) fn new() -> Self {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().map(Path::to_owned).unwrap_or(manifest);
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
        Self { root, target, all: false }
    }

    /// The folder of the tools that are installed for the gate alone.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The folder of the Go module.
    pub(crate) fn go_module(&self) -> PathBuf {
        self.root.join("tests/go")
    }

    /// The folder of what was built from the Go module; the slash makes it one for `go build`.
    pub(crate) fn go_programs(&self) -> PathBuf {
        self.target.join("tools/go/")
    }

    /// The Python of the gate's own environment.
    pub(crate) fn python(&self) -> PathBuf {
        self.target.join("venv/bin/python")
    }

    /// A program that `cargo build` made.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A command that runs at the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
    }
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// What to do about it, where that is not the step's usual remedy.
    pub(crate) remedy: Option<String>,
    /// How many tests passed and failed before the step gave up, where that is known.
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Failure {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: None, passed: 0, failed: 0 }
    }

    pub(crate) fn counted(mut self, passed: usize, failed: usize) -> Self {
        (self.passed, self.failed) = (passed, failed);
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
