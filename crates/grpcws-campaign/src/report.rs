//! What a program prints.
#![allow(clippy::print_stdout, reason = "the report is for a terminal, and its last line for the gate")]

use std::process::ExitCode;

/// How many failures are shown in full.
const SHOWN: usize = 40;

/// Counts what passed and what failed.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Prints a line of the report.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        println!("{}", text.as_ref());
    }

    /// Counts a check that passed.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts many checks that passed.
    pub(crate) fn passed(&mut self, number: usize) {
        self.passed += number;
    }

    /// Counts a check that failed, and shows it with the command that repeats it.
    pub(crate) fn fail(&mut self, what: impl AsRef<str>, again: impl AsRef<str>) {
        self.failed += 1;
        if self.failed <= SHOWN {
            println!("FAILED {}\n       again: {}", what.as_ref(), again.as_ref());
        }
    }

    /// Counts a check by its faults.
    pub(crate) fn check(&mut self, what: impl AsRef<str>, faults: &[String], again: impl AsRef<str>) {
        match faults {
            [] => self.pass(),
            faults => self.fail(format!("{}: {}", what.as_ref(), faults.join("; ")), again),
        }
    }

    /// Prints the last line, and returns the exit code that goes with it.
    pub(crate) fn finish(self) -> ExitCode {
        if self.failed > SHOWN {
            println!("{} more failures are not shown", self.failed - SHOWN);
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
