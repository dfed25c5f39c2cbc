mod bed;
mod life;
mod names;
mod orchestrate;
mod random;
mod waiting;
mod world;
