//! What programs' answers come to: the daemon's own steps of a job, and the promotion hook.

mod answers;
mod bed;
mod crash;
mod hook;
mod hook_worker;
mod programs;
mod protocol;
mod steps;
mod wire;
