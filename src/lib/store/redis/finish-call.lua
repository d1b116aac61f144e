-- ARGV: call id
free_place(ARGV[1])
return {}
