//! The package on real systems: throw-away Debian 12 and 13 with systemd as PID 1 (`box`), the `.deb` of the tested binary
//! installed as an administrator does it.

mod backups;
mod cuts;
mod life;
mod package;
pub(crate) mod schema;
mod system;
mod takeover;
mod traders;
mod units;
mod upgrade;
mod worker;
