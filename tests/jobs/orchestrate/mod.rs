//! What programs' answers come to: the daemon's own steps of a job, and the promotion hook.

mod answers;
mod bed;
mod hook;
mod programs;
mod steps;
