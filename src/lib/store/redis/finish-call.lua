-- ARGV: call id
free_permit(ARGV[1])
return {}
