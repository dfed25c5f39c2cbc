mod bed;
mod life;
mod random;
mod waiting;
mod world;
