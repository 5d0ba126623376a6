module tendril-bench

go 1.19
