//! What is measured of processes and of the machine.

mod machine;
mod process;

pub(crate) use machine::{Machine, Noise, NoiseMeter};
pub(crate) use process::{Process, own_cpu, raise_file_limit};
