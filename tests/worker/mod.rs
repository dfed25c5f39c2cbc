//! Workers: the real binary at both ends, and shell scripts as the operator's programs.

mod away;
mod bed;
mod border;
mod flow;
mod kill;
mod kubernetes;
mod misconfigured;
mod programs;
