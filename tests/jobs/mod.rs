mod bed;
mod life;
mod orchestrate;
mod random;
mod waiting;
mod world;
