"""Specs to a plan of ready jobs: templates rendered, values quoted, job scripts written."""
